# Every third-party library, found once. Their headers are SYSTEM: our warnings are about our code.

find_package(Threads REQUIRED)
include(RoclipTorch)  # roclip::torch
find_package(nlohmann_json REQUIRED)
if(POLICY CMP0167)  # Boost's own package of CMake files
  cmake_policy(SET CMP0167 NEW)
endif()
find_package(Boost 1.74 REQUIRED COMPONENTS filesystem)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RSVG REQUIRED librsvg-2.0 fontconfig)
pkg_check_modules(ARCHIVE REQUIRED libarchive)
pkg_check_modules(XXHASH REQUIRED libxxhash)
find_path(GLOO_INCLUDE_DIR gloo/context.h REQUIRED)  # headers that LibTorch's own ask for; its libraries have the rest
pkg_check_modules(UTF8PROC REQUIRED libutf8proc)
find_package(ZLIB REQUIRED)

# Debian ships OpenCV's CMake package only with all of OpenCV; three of its libraries are enough here.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
add_library(roclip_opencv INTERFACE)
target_include_directories(roclip_opencv SYSTEM INTERFACE ${OPENCV_INCLUDE_DIR})
foreach(part core imgproc imgcodecs)
  find_library(OPENCV_${part} opencv_${part} REQUIRED)
  target_link_libraries(roclip_opencv INTERFACE ${OPENCV_${part}})
endforeach()

# Only their folders and libraries: flags such as -pthread would part ways with the precompiled header.
add_library(roclip_rsvg INTERFACE)
target_include_directories(roclip_rsvg SYSTEM INTERFACE ${RSVG_INCLUDE_DIRS})
target_link_libraries(roclip_rsvg INTERFACE ${RSVG_LINK_LIBRARIES})
add_library(roclip_xxhash INTERFACE)
target_link_libraries(roclip_xxhash INTERFACE ${XXHASH_LINK_LIBRARIES})
add_library(roclip_utf8proc INTERFACE)
target_link_libraries(roclip_utf8proc INTERFACE ${UTF8PROC_LINK_LIBRARIES})
add_library(roclip_archive INTERFACE)
target_include_directories(roclip_archive SYSTEM INTERFACE ${ARCHIVE_INCLUDE_DIRS})
target_link_libraries(roclip_archive INTERFACE ${ARCHIVE_LINK_LIBRARIES})
