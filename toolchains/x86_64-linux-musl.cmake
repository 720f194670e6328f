# x86-64, static, musl.
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(LIMPET_ZIG_TARGET x86_64-linux-musl)
set(LIMPET_ZIG_CPU x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
