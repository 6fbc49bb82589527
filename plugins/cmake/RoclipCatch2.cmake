# roclip::catch2: Catch2 2 or 3; tests include <catch2/catch.hpp>, which 3 no longer has, and write as for 2.
find_package(Catch2 REQUIRED)
if(NOT TARGET roclip::catch2)
  add_library(roclip::catch2 INTERFACE IMPORTED GLOBAL)
  target_link_libraries(roclip::catch2 INTERFACE Catch2::Catch2)
  if(Catch2_VERSION VERSION_GREATER_EQUAL 3)
    target_include_directories(roclip::catch2 SYSTEM INTERFACE ${CMAKE_CURRENT_LIST_DIR}/catch2_3)
  endif()
endif()
