# roclip::torch: LibTorch as a SYSTEM target. Used by the build of roclip-bench and by its package.
#
# Any LibTorch from 1.13 on: Debian's libtorch-dev, or what ROCLIP_TORCH names: the folder torch/ of an installed Python
# package, or an unpacked LibTorch. LibTorch's own CMake package is not used: that of a CUDA build stops without a CUDA
# toolkit, may take c10 from another installation, and links libtorch.so, which needs gigabytes of CUDA libraries even
# where there is no GPU. Two libraries are enough; libtorch_cuda.so is loaded at run time where there is a GPU.
set(ROCLIP_TORCH "${ROCLIP_TORCH_OF_PACKAGE}" CACHE PATH
    "Folder of LibTorch, <site-packages>/torch; empty: where CMake finds it, such as Debian's libtorch-dev")
set(where)
if(ROCLIP_TORCH)
  set(where PATHS ${ROCLIP_TORCH} NO_DEFAULT_PATH)
endif()
set(api torch/csrc/api/include)
find_path(torch_include ${api}/torch/torch.h PATH_SUFFIXES include ${where} NO_CACHE)
find_library(torch_cpu torch_cpu PATH_SUFFIXES lib ${where} NO_CACHE)
find_library(c10 c10 PATH_SUFFIXES lib ${where} NO_CACHE)
if(NOT torch_include OR NOT torch_cpu OR NOT c10)
  message(FATAL_ERROR "No LibTorch in \"${ROCLIP_TORCH}\": expected include/${api}/torch/torch.h, lib/libtorch_cpu.so and "
                      "lib/libc10.so. Install libtorch-dev, or set -DROCLIP_TORCH=<site-packages>/torch.")
endif()

# What CUDA it was built for: no header says so.
set(torch_cuda none)
cmake_path(GET torch_cpu PARENT_PATH torch_lib)
if(EXISTS ${torch_lib}/libtorch_cuda.so)
  set(torch_cuda unknown)
  if(EXISTS ${ROCLIP_TORCH}/version.py)
    file(STRINGS ${ROCLIP_TORCH}/version.py line REGEX "^cuda.*'[0-9.]+'")
    if(line MATCHES "'([0-9.]+)'")
      set(torch_cuda ${CMAKE_MATCH_1})
    endif()
  endif()
endif()

if(NOT TARGET roclip::torch)
  message(STATUS "LibTorch: ${torch_cpu}, CUDA ${torch_cuda}")
  add_library(roclip::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(roclip::torch SYSTEM INTERFACE ${torch_include} ${torch_include}/${api})
  target_compile_definitions(roclip::torch INTERFACE ROCLIP_TORCH_CUDA="${torch_cuda}")
  # libstdc++ first: wheels export a std::filesystem of their own, which must not stand before that of the system.
  target_link_options(roclip::torch INTERFACE LINKER:--push-state,--no-as-needed,-lstdc++,--pop-state)
  target_link_libraries(roclip::torch INTERFACE ${torch_cpu} ${c10})
endif()
