#include "clip_score.h"

ROCLIP_DEFENSE(roclip::ClipScoreDefense, "clip_score/1",
               "drops pairs by the similarity of image and caption under the poisoned model and trains again")
