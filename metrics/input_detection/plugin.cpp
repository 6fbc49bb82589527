#include "input_detection.h"

ROCLIP_METRIC(roclip::InputDetection, "input_detection/1",
              "how well a defense tells triggered test images from clean ones")
