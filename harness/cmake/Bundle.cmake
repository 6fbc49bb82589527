# ROCLIP_BUNDLE: `cmake --install` and `cpack` make a folder that runs wherever it is unpacked: on any Linux with a C library
# at least as new as this one's and the Python package torch of the same version. tests/gpu/bundle makes one.
set(ROCLIP_BUNDLE_PACKS "" CACHE STRING "Prepared data that comes along: *.pack files of the cache")
if(NOT EXISTS ${ROCLIP_TORCH}/version.py)
  message(FATAL_ERROR "ROCLIP_BUNDLE needs -DROCLIP_TORCH=<site-packages>/torch: a bundle is for one version of it.")
endif()
file(STRINGS ${ROCLIP_TORCH}/version.py line REGEX "^__version__")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" ROCLIP_TORCH_VERSION "${line}")

set(CMAKE_INSTALL_RPATH_USE_LINK_PATH OFF)  # the start script finds LibTorch
add_link_options(LINKER:--disable-new-dtags)  # the rpath of a program also serves what its libraries need

configure_file(harness/cmake/bundle/roclip-bench.in ${CMAKE_BINARY_DIR}/bundle/roclip-bench @ONLY)
install(PROGRAMS ${CMAKE_BINARY_DIR}/bundle/roclip-bench DESTINATION .)
install(FILES ${ROCLIP_BUNDLE_PACKS} DESTINATION packs)
set(add_libraries "execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/harness/cmake/bundle/add-libraries\"
  \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\" \"${ROCLIP_TORCH}\" COMMAND_ERROR_IS_FATAL ANY)")
cmake_language(DEFER CALL install CODE "${add_libraries}")  # after all that this folder and those below it install

set(CPACK_GENERATOR TZST)
set(CPACK_PACKAGING_INSTALL_PREFIX "/")
set(CPACK_PACKAGE_FILE_NAME
    "roclip-bench-${PROJECT_VERSION}-torch-${ROCLIP_TORCH_VERSION}-linux-${CMAKE_HOST_SYSTEM_PROCESSOR}")
