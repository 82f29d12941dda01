"""Words that names of regions are made of: a name that is a piece of one is not cut out of it."""

from __future__ import annotations

from cta_data.redaction.folding import TURN, fold

_WORDS = """
left right bilateral anterior posterior superior inferior medial lateral median central dorsal
ventral cranial caudal rostral basal parasagittal sagittal coronal axial brain brainstem cerebrum
cerebral cerebellum cerebellar vermis tentorium tentorial midbrain pons pontine medulla
mesencephalon frontal parietal temporal occipital insula insular cingulate precentral postcentral
frontoparietal temporooccipital parietooccipital frontotemporal temporoparietal thalamus thalamic
hypothalamus putamen caudate pallidum capsule ganglia callosum corpus splenium ventricle
ventricular hippocampus hippocampal amygdala chiasm optic nerve pituitary hypophysis pineal orbit
orbital cochlea retina cornea lens lenses eyes eyeball lacrimal gland parotid mandible cavity oral
spinal cord skull calvaria calvarial clivus dura dural meninges meningeal leptomeningeal falx
sulcus gyrus lobe lobes lesion lesions metastasis metastases metastatic metastase metastasen tumor
tumour tumors tumours target targets volume volumes gross clinical planning margin boost resection
resected recurrence residual postoperative preoperative edema oedema necrosis enhancing
enhancement contrast external outline contour body skin mask bone bones couch table isocenter
isocentre dose organ organs avoid avoidance helper shell embolization metabolic small large upper
lower inner outer links rechts vorne hinten oben unten mitte mittig hirn gehirn grosshirn
kleinhirn hirnstamm stammhirn stirnlappen schlafenlappen scheitellappen hinterhauptlappen
okzipital parietookzipital zentral zerebellar lasion lasionen filia filiae herd herde sehnerv
augen auge linse linsen hypophyse ruckenmark myelon schadel knochen haut maske tisch kontur umriss
hilfe hilfskontur rand resektion resektionshohle hohle
"""
ROI_WORDS = frozenset(fold(word).text.replace(TURN, "") for word in _WORDS.split())
