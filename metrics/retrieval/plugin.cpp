#include "retrieval.h"

ROCLIP_METRIC(roclip::Retrieval, "retrieval/1", "held-out images and captions that find each other");
