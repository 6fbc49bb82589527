#include "poison_similarity.h"

ROCLIP_METRIC(roclip::PoisonSimilarity, "poison_similarity/1",
              "how near a model finds image and caption of poisons, and of clean pairs");
