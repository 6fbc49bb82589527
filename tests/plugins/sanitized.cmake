# tests/sanitized/address/*.so: every shipped plugin and the broken ones, each built with -fsanitize=address;
# tests/sanitized/thread/*.so: the attacks, the one kind that several threads may use at once.
# Only tests/platforms/sanitizers builds them: they take as long as all other tests together.
add_custom_target(sanitized_plugins)

function(add_sanitized sanitizer name)
  set(target ${name}_under_${sanitizer})
  add_library(${target} MODULE EXCLUDE_FROM_ALL ${ARGN})
  target_link_libraries(${target} PRIVATE roclip::sdk roclip_settings roclip_opencv roclip_xxhash)
  target_compile_options(${target} PRIVATE -fsanitize=${sanitizer} -fno-omit-frame-pointer -O1 -g1)
  target_link_options(${target} PRIVATE -fsanitize=${sanitizer})
  if(name STREQUAL broken_attack)
    target_precompile_headers(${target} PRIVATE <torch/types.h> <torch/utils.h> <nlohmann/json.hpp>)
  else()
    target_precompile_headers(${target} REUSE_FROM broken_attack_under_${sanitizer})
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} DEFINE_SYMBOL ""
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/sanitized/${sanitizer})
  add_dependencies(sanitized_plugins ${target})
endfunction()

set(address_kinds attack defense metric)
set(thread_kinds attack)
foreach(sanitizer address thread)
  foreach(kind ${${sanitizer}_kinds})
    # The first, broken_attack, has the precompiled header of all.
    add_sanitized(${sanitizer} broken_${kind} ${CMAKE_CURRENT_SOURCE_DIR}/zoo/broken_${kind}.cpp)
    file(GLOB entries CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${kind}s/*/plugin.cpp)
    foreach(entry ${entries})
      cmake_path(GET entry PARENT_PATH folder)
      cmake_path(GET folder FILENAME name)
      file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
      add_sanitized(${sanitizer} ${name} ${sources})
    endforeach()
  endforeach()
endforeach()
