#include "unlearn.h"

ROCLIP_DEFENSE(roclip::UnlearnDefense, "unlearn/1",
               "finds suspects by overfitting, then makes the poisoned model forget them (after UBT)")
