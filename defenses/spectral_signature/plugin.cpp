#include "spectral_signature.h"

ROCLIP_DEFENSE(roclip::SpectralSignatureDefense, "spectral_signature/1",
               "drops pairs that stand out along the main direction of a caption cluster, trains again (NeurIPS 2018)")
