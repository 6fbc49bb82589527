# What `cmake --install` puts where, besides targets and the files that the program reads, and what `cpack` makes of it.

install(EXPORT RoclipBench NAMESPACE roclip:: FILE RoclipBenchTargets.cmake DESTINATION lib/cmake/RoclipBench)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/RoclipBenchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(plugins/cmake/RoclipBenchConfig.cmake.in ${CMAKE_BINARY_DIR}/RoclipBenchConfig.cmake @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/RoclipBenchConfigVersion.cmake ${CMAKE_BINARY_DIR}/RoclipBenchConfig.cmake
              plugins/cmake/RoclipCatch2.cmake plugins/cmake/RoclipPlugin.cmake plugins/cmake/RoclipTorch.cmake
        DESTINATION lib/cmake/RoclipBench)
install(DIRECTORY plugins/cmake/catch2_3 DESTINATION lib/cmake/RoclipBench)
# The build folder serves a plugin's project as an installed one does: `plugin new` names it where the program runs from it.
export(EXPORT RoclipBench NAMESPACE roclip:: FILE ${CMAKE_BINARY_DIR}/RoclipBenchTargets.cmake)
file(COPY plugins/cmake/RoclipCatch2.cmake plugins/cmake/RoclipPlugin.cmake plugins/cmake/RoclipTorch.cmake
          plugins/cmake/catch2_3 DESTINATION ${CMAKE_BINARY_DIR})
# Texts lie as in the source, so that links between them lead somewhere.
file(GLOB texts RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS LICENSE *.md plugins/*.md harness/*.md harness/*/*.md
     attacks/*/*.md defenses/*/*.md metrics/*/*.md results/*.md results/*/*.md)
foreach(text ${texts})
  cmake_path(GET text PARENT_PATH folder)
  install(FILES ${text} DESTINATION share/doc/roclip-bench/${folder})
endforeach()

# What those texts point to: headers, and the sources of the shipped plugins as examples.
install(DIRECTORY attacks defenses metrics DESTINATION share/doc/roclip-bench
        FILES_MATCHING PATTERN "*.h" PATTERN "*.cpp" PATTERN "CMakeLists.txt")
install(DIRECTORY plugins/include DESTINATION share/doc/roclip-bench/plugins)
install(DIRECTORY results/schema DESTINATION share/doc/roclip-bench/results)

# Studies to begin with.
foreach(study smoke emoji-quick emoji-paper paper)
  file(GLOB files ${CMAKE_SOURCE_DIR}/results/${study}/*.json)
  list(FILTER files EXCLUDE REGEX "/results\\.json$")
  install(FILES ${files} DESTINATION share/roclip-bench/studies/${study})
endforeach()

set(CPACK_PACKAGE_NAME roclip-bench)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_VENDOR roclip-bench)
set(CPACK_PACKAGE_CONTACT "the authors of roclip-bench <roclip-bench@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # needs dpkg-dev: harness/cmake/install-packages test
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
# No symbol of ours names these: OpenBLAS stands in for the slow reference BLAS, and text in drawings is drawn in DejaVu.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-openmp, fonts-dejavu-core, fonts-dejavu-extra")
# npm fetches the embedded images; the rest builds plugins.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "npm, g++, cmake, ninja-build, libtorch-dev, nlohmann-json3-dev, catch2")

option(ROCLIP_BUNDLE "Whether to install and pack a folder that runs wherever it is unpacked" OFF)
if(ROCLIP_BUNDLE)
  include(Bundle)
endif()
include(CPack)
