#include "finetune.h"

ROCLIP_DEFENSE(roclip::FinetuneDefense, "finetune/1",
               "fine-tunes the poisoned model on a clean subset, also in cycles (super-fine-tuning)")
