#include "activation_clustering.h"

ROCLIP_DEFENSE(roclip::ActivationClusteringDefense, "activation_clustering/1",
               "drops the small half of a caption cluster whose images fall apart, trains again (Chen et al. 2018)")
