# Language, warnings, sanitizers and output folders of every target of ours.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_NO_SYSTEM_FROM_IMPORTED OFF)

# The build tree has the layout of the install tree, so that one search rule finds plugins and data in both.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)  # to a LibTorch outside the system's folders
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(ROCLIP_PLUGIN_DIR ${CMAKE_BINARY_DIR}/lib/roclip-bench/plugins)
set(ROCLIP_SHARE_DIR ${CMAKE_BINARY_DIR}/share/roclip-bench)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # the heavy loops are in LibTorch; -O3 only compiles longer

# For the few sources that are nothing but loops over floats: sums may be taken in any order that the compiler likes,
# the same one every time.
set(ROCLIP_LOOP_OPTIONS -O3 -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math)

add_library(roclip_settings INTERFACE)
target_compile_options(roclip_settings INTERFACE -Wall -Wextra -Wshadow -Werror)
if(ROCLIP_BENCH_SANITIZE)
  target_compile_options(roclip_settings INTERFACE -fsanitize=${ROCLIP_BENCH_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  target_link_options(roclip_settings INTERFACE -fsanitize=${ROCLIP_BENCH_SANITIZE})
endif()

# roclip_compile_by_folder(target [EXCEPT folder ...]): compiles the files of a folder as one, in less than half of the
# time, since what they include is read once. Not in preset dev, where one edited file is compiled again and again.
# The files of an excepted folder are siblings that give their helpers the same names.
function(roclip_compile_by_folder target)
  if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT ROCLIP_BENCH_SANITIZE)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET folder FILENAME name)
    if(source MATCHES "\\.cpp$" AND folder AND NOT name IN_LIST ARGN)
      set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${name})
    endif()
  endforeach()
endfunction()
