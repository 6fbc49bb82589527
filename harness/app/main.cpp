#include "harness/app/subcommands.h"

int main(int argc, char** argv) { return roclip::bench::cli(argc, argv); }
