# roclip_add_plugin(<attack|defense|metric> <name> SOURCES <file>... ENTRY <file>)
#
# Two targets from one folder: roclip_<kind>_<name>, a library that tests link, and the module that the harness loads.
# ENTRY holds only the line with ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC.
function(roclip_add_plugin kind name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "ENTRY" "SOURCES")
  set(library roclip_${kind}_${name})
  add_library(${library} STATIC ${arg_SOURCES})
  target_include_directories(${library} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${library} PUBLIC roclip::sdk PRIVATE roclip_settings)
  target_precompile_headers(${library} REUSE_FROM roclip_sdk)

  add_library(${library}_module MODULE ${arg_ENTRY})
  set_target_properties(${library}_module PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} DEFINE_SYMBOL ""
    LIBRARY_OUTPUT_DIRECTORY ${ROCLIP_PLUGIN_DIR}/${kind})
  set_target_properties(${library}_module PROPERTIES INSTALL_RPATH "$ORIGIN/../../..")
  install(TARGETS ${library}_module DESTINATION lib/roclip-bench/plugins/${kind})
  target_link_libraries(${library}_module PRIVATE ${library} roclip_settings)
  target_link_options(${library}_module PRIVATE -Wl,-z,defs)
  target_precompile_headers(${library}_module REUSE_FROM roclip_sdk)
endfunction()
