-- Asks the segmentation service for every MR series that Orthanc has received whole; the DICOM SEG comes back by itself.
-- Needs a section "TumourSegmentation" in Orthanc's configuration: see dicomweb.md.

local function setting(name)
  local section = GetOrthancConfiguration()['TumourSegmentation'] or {}
  return section[name]
end

local function key()
  -- Read each time, so that a new key needs no restart; the configuration itself holds no secret.
  local file = setting('KeyFile') and io.open(setting('KeyFile'), 'r')
  if not file then
    return nil
  end
  local secret = file:read('*l')
  file:close()
  return secret
end

function OnStableSeries(seriesId, tags, metadata)
  -- Segmentations (SEG) end here too, and other modalities: nothing is segmented twice, and nothing goes round.
  if tags['Modality'] ~= 'MR' then
    return
  end

  local study = ParseJson(RestApiGet('/series/' .. seriesId .. '/study'))
  local headers = { ['Content-Type'] = 'application/json' }
  local secret = key()
  if secret then
    headers['Authorization'] = 'Bearer ' .. secret
  end

  -- The same order again is the same job, so it does no harm that Orthanc may call this twice.
  local order = {
    server = setting('Server'),
    study = study['MainDicomTags']['StudyInstanceUID'],
    series = tags['SeriesInstanceUID'],
  }
  local answer = HttpPost(setting('Url') .. '/v1/dicomweb/jobs', DumpJson(order, true), headers)
  if answer == nil or answer == '' then
    print('The segmentation service did not take series ' .. seriesId .. ': ask again later')
  end
end
