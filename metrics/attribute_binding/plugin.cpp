#include "attribute_binding.h"

ROCLIP_METRIC(roclip::AttributeBinding, "attribute_binding/1",
              "held-out images that are nearer to their caption than to the one with two colours exchanged");
