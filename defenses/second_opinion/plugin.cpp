#include "second_opinion.h"

ROCLIP_DEFENSE(roclip::SecondOpinion, "second_opinion/1",
               "believes a caption that is among the nearest of a pool to its image, else takes the nearest one (ours)")
