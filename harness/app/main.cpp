#include "harness/app/cli.h"

int main(int argc, char** argv) { return roclip::bench::cli(argc, argv); }
