# Cross compilation by Zig: clang, musl and libc++ for every target in one Python package, which
# tools/setup installs. Included by the toolchain files, which set first:
#   LIMPET_ZIG_TARGET, LIMPET_ZIG_CPU   what zig is told by -target and -mcpu
#   LIMPET_QEMU                         the name of QEMU's user-mode emulator, if tests need one
if(DEFINED ENV{LIMPET_CACHE})
  set(_cache "$ENV{LIMPET_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(_cache "$ENV{XDG_CACHE_HOME}/limpet")
else()
  set(_cache "$ENV{HOME}/.cache/limpet")
endif()
file(GLOB _zig "${_cache}/venv/lib/python3*/site-packages/ziglang/zig")
if(NOT _zig)
  message(FATAL_ERROR "there is no zig in ${_cache}/venv: run tools/setup release")
endif()
list(GET _zig 0 _zig)

# A compiler has to be one file: small scripts carry the arguments.
get_filename_component(_name "${CMAKE_CURRENT_LIST_FILE}" NAME)
set(_tools "${_cache}/toolchains/${LIMPET_ZIG_TARGET}-${LIMPET_ZIG_CPU}")
set(_target "-target ${LIMPET_ZIG_TARGET} -mcpu=${LIMPET_ZIG_CPU}")
foreach(_tool "cc|cc ${_target}" "c++|c++ ${_target}" "ar|ar" "ranlib|ranlib" "objcopy|objcopy")
  string(REPLACE "|" ";" _tool "${_tool}")
  list(GET _tool 0 _name)
  list(GET _tool 1 _arguments)
  file(CONFIGURE OUTPUT "${_tools}/${_name}" @ONLY CONTENT
"#!/bin/sh
: \"\${ZIG_GLOBAL_CACHE_DIR:=${_cache}/zig}\" \"\${ZIG_LOCAL_CACHE_DIR:=${_cache}/zig}\"
export ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR
exec \"@_zig@\" @_arguments@ \"$@\"
")
  file(CHMOD "${_tools}/${_name}" PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER "${_tools}/cc")
set(CMAKE_CXX_COMPILER "${_tools}/c++")
set(CMAKE_AR "${_tools}/ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${_tools}/ranlib" CACHE FILEPATH "")
set(CMAKE_C_COMPILER_AR "${_tools}/ar" CACHE FILEPATH "")
set(CMAKE_CXX_COMPILER_AR "${_tools}/ar" CACHE FILEPATH "")
set(CMAKE_C_COMPILER_RANLIB "${_tools}/ranlib" CACHE FILEPATH "")
set(CMAKE_CXX_COMPILER_RANLIB "${_tools}/ranlib" CACHE FILEPATH "")

# Nothing of the build machine belongs to the target.
set(CMAKE_FIND_ROOT_PATH "${_tools}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

if(LIMPET_QEMU)
  find_program(LIMPET_EMULATOR NAMES ${LIMPET_QEMU}-static ${LIMPET_QEMU})
  if(LIMPET_EMULATOR)
    set(CMAKE_CROSSCOMPILING_EMULATOR "${LIMPET_EMULATOR}")
  endif()
endif()
