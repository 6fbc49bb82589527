# find_package(RoclipBench): roclip::sdk, the programs, and roclip_add_plugin(). See plugins/README.md of roclip-bench.
include(CMakeFindDependencyMacro)
find_dependency(nlohmann_json)
include(${CMAKE_CURRENT_LIST_DIR}/RoclipTorch.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/RoclipBenchTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/RoclipPlugin.cmake)
