"""What is done where truth or prediction are empty, and how numbers are made, in words; stands in every result."""

POLICY = {
    "tumour": "Whole tumour: every label above 0, of the truth and of the prediction.",
    "slice": (
        "Dice, IoU and area error by slice are over the slices where truth or prediction is not empty; slices where "
        "both are empty are counted apart (both_empty_slices), so that slices without tumour do not flatter. Where one "
        "of the two is empty, Dice and IoU are 0."
    ),
    "patient": (
        "By patient, all slices of a patient are one volume. Both empty: Dice and IoU are 1. One empty: 0. Every "
        "patient counts the same, however large the tumour."
    ),
    "pooled": (
        "All pixels of all patients together, as one mask: large tumours and long volumes decide. Distances cannot be "
        "pooled. The pooled area error is the sum over all patients."
    ),
    "undefined": (
        "Precision is not defined where nothing is predicted, recall not where there is no tumour, specificity not "
        "where all is tumour. Such slices and patients are left out of that measure and counted in its `excluded`."
    ),
    "hd95": (
        "HD95 is the larger of the two 95th percentiles of the distances between the surfaces. It is not defined "
        "unless truth and prediction both hold something: a missed tumour makes it better, never worse, so read it "
        "beside recall. By patient it is in three dimensions, and left out where the slices differ in size or some "
        "are missing in between (volumes_of_several_sizes, volumes_with_gaps). Millimetres where the spacing of every "
        "patient is known, else steps of a pixel in the plane and of a slice across."
    ),
    "area_error": (
        "Predicted minus true area. By patient: areas of all slices added up. Square millimetres where the spacing of "
        "every patient is known, else pixels."
    ),
    "intervals": (
        "95 % intervals are of the mean (pooled: of the value), by bootstrap over patients (10,000 draws); "
        "slices of a patient are drawn together, since they are alike. Shares of patients have Wilson's interval. "
        "They say how much other patients from the same place could differ, not how another hospital's would."
    ),
    "seen": (
        "A patient with any picture that the model was trained on, or chosen by, is kept out of every number but "
        "`seen`. Pictures are compared by a digest of their pixels; black ones are all alike and do not count."
    ),
    "tests": (
        "P values are two-sided. Several tests are made, and of twenty tests in which nothing is to be found, one is "
        "expected to show a p below 0.05: none is corrected for that."
    ),
}
