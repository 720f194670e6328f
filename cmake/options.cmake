# limpet_options: how our own code, and only ours, is compiled and linked.
#   target_link_libraries(<target> PRIVATE limpet_options)

add_library(limpet_options INTERFACE)
target_compile_features(limpet_options INTERFACE cxx_std_20)
target_include_directories(limpet_options INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_compile_definitions(limpet_options INTERFACE
  _GNU_SOURCE
  LIMPET_JOURNALD=$<BOOL:${LIMPET_JOURNALD}>
  LIMPET_OWN_MALLOC=$<BOOL:${LIMPET_OWN_MALLOC}>
  LIMPET_PATTERNS=$<BOOL:${LIMPET_PATTERNS}>)

# Warnings are for C++: the only C compiled here is generated.
target_compile_options(limpet_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wformat=2 -Wimplicit-fallthrough>
  # What a function keeps is made by the first thread, before there is another: the guards would bring
  # libc++abi's handlers in, with demangler and unwinder 120 KB.
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>
  -ffunction-sections -fdata-sections -fstack-protector-strong -fno-common
  # The same binary wherever the checkout lies.
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")
if(LIMPET_WERROR)
  target_compile_options(limpet_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
target_link_options(limpet_options INTERFACE -Wl,--gc-sections)

if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  target_compile_options(limpet_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
# A release is made small, but for what every byte goes through: sources with the options LIMPET_FOR_SPEED.
set(LIMPET_FOR_SPEED "")
if(CMAKE_BUILD_TYPE STREQUAL "MinSizeRel")
  set(LIMPET_FOR_SPEED -O2)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Zig takes -Oz for -Os; clang's own makes a tenth less code.
    target_compile_options(limpet_options INTERFACE "SHELL:-Xclang -Oz")
    set(LIMPET_FOR_SPEED -Xclang -O2)
  endif()
endif()
# Zig builds memcpy and its kin as it links, and with -Os they are loops over single bytes.
if(LIMPET_STATIC)
  target_link_options(limpet_options INTERFACE -static -O2)
else()
  target_link_options(limpet_options INTERFACE -Wl,-z,relro,-z,now)
endif()

# limpet_program(TARGET): leaves the program in the build folder's top. A release is stripped, and
# <name>.debug beside it is the same program with its symbols. It is linked twice, since not every
# toolchain has an objcopy for its target.
function(limpet_program target)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  if(NOT CMAKE_BUILD_TYPE STREQUAL "MinSizeRel")
    return()
  endif()
  target_link_options(${target} PRIVATE -s)
  add_executable(${target}.debug $<TARGET_OBJECTS:${target}>)
  target_link_libraries(${target}.debug PRIVATE $<TARGET_PROPERTY:${target},LINK_LIBRARIES>)
  set_target_properties(${target}.debug PROPERTIES LINKER_LANGUAGE CXX)
  set_target_properties(${target}.debug PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
endfunction()
