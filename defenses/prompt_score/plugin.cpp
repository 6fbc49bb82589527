#include "prompt_score.h"

ROCLIP_DEFENSE(roclip::PromptScoreDefense, "prompt_score/1",
               "at test time: inputs that are too near to, or too far from, the prompts of their class")
