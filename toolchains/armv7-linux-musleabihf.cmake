# ARMv7-A, static, musl: hard float, Thumb-2 throughout (30 % smaller than ARM code).
set(CMAKE_SYSTEM_PROCESSOR arm)
set(LIMPET_ZIG_TARGET thumb-linux-musleabihf)
set(LIMPET_ZIG_CPU generic+v7a+vfp3d16)
set(LIMPET_QEMU qemu-arm)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
