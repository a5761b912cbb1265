"""What a class of a tumour model is called in DICOM: by SNOMED CT or, where that has none, the NCI Thesaurus."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

CATEGORY: Code = codes.cid7150.MorphologicallyAbnormalStructure
BRAIN: Code = codes.SCT.Brain
ARTIFICIAL_INTELLIGENCE: Code = codes.cid7162.ArtificialIntelligence

# By a part of the class's name, in this order; all of them stand in CID 7159, "Lesion Segmentation Types".
_TYPES: tuple[tuple[str, Code], ...] = (
    ("necro", codes.cid7159.Necrosis),
    ("edema", codes.cid7159.Edema),
    ("oedema", codes.cid7159.Edema),
    ("non-enhancing", codes.cid7159.NonEnhancingLesion),
    ("nonenhancing", codes.cid7159.NonEnhancingLesion),
    ("non enhancing", codes.cid7159.NonEnhancingLesion),
    ("enhancing", codes.cid7159.EnhancingLesion),
)


def segment_type(name: str) -> Code:
    """The code of a class by its name; a class that the list does not know is a neoplasm, whatever its name says."""
    lower = name.lower().replace("_", " ")
    return next((code for part, code in _TYPES if part in lower), codes.cid7159.Neoplasm)
