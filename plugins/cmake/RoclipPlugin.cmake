# roclip_add_plugin(<attack|defense|metric> <name> SOURCES <file>... [ENTRY <file>])
#
# Two targets: roclip_<kind>_<name>, a library that tests link, and roclip_<kind>_<name>_module, the shared library
# <name>.so that roclip-bench loads. One source holds the line with ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC; it is
# given as ENTRY where one program tests several plugins, since each defines the same symbol.
#
# <name>.so is written to plugins/ of the build folder, for `roclip-bench --plugin-path`, and installed to where
# roclip-bench looks for plugins if both have the same prefix.
if(NOT DEFINED ROCLIP_PLUGIN_DIR)
  set(ROCLIP_PLUGIN_DIR ${CMAKE_BINARY_DIR}/plugins)
endif()

function(roclip_add_plugin kind name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "ENTRY" "SOURCES")
  if(NOT kind MATCHES "^(attack|defense|metric)$")
    message(FATAL_ERROR "roclip_add_plugin: expected attack, defense or metric, got \"${kind}\"")
  endif()
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "roclip_add_plugin(${kind} ${name} SOURCES <file>... [ENTRY <file>]): "
                        "expected SOURCES, got \"${ARGN}\"")
  endif()
  set(library roclip_${kind}_${name})
  if(arg_ENTRY)
    add_library(${library} STATIC ${arg_SOURCES})
  else()
    add_library(${library} OBJECT ${arg_SOURCES})
  endif()
  target_include_directories(${library} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${library} PUBLIC roclip::sdk)

  if(arg_ENTRY)
    add_library(${library}_module MODULE ${arg_ENTRY})
    target_link_libraries(${library}_module PRIVATE ${library})
  else()
    add_library(${library}_module MODULE $<TARGET_OBJECTS:${library}>)
    target_link_libraries(${library}_module PRIVATE roclip::sdk)
    set_target_properties(${library}_module PROPERTIES LINKER_LANGUAGE CXX)
  endif()
  set_target_properties(${library}_module PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} DEFINE_SYMBOL ""
    LIBRARY_OUTPUT_DIRECTORY ${ROCLIP_PLUGIN_DIR}/${kind} INSTALL_RPATH "$ORIGIN/../../..")
  target_link_options(${library}_module PRIVATE -Wl,-z,defs)
  install(TARGETS ${library}_module DESTINATION lib/roclip-bench/plugins/${kind})

  foreach(target ${library} ${library}_module)
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_compile_features(${target} PRIVATE cxx_std_20)
    if(TARGET roclip_settings)  # in roclip-bench's own build
      target_link_libraries(${target} PRIVATE roclip_settings)
      target_precompile_headers(${target} REUSE_FROM roclip_sdk)
    endif()
  endforeach()
endfunction()
