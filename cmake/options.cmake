# limpet_options: how our own code, and only ours, is compiled and linked.
#   target_link_libraries(<target> PRIVATE limpet_options)

add_library(limpet_options INTERFACE)
target_compile_features(limpet_options INTERFACE cxx_std_20)
target_include_directories(limpet_options INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_compile_definitions(limpet_options INTERFACE
  _GNU_SOURCE
  LIMPET_OWN_MALLOC=$<BOOL:${LIMPET_OWN_MALLOC}>)

# Warnings are for C++: the only C compiled here is generated.
target_compile_options(limpet_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wformat=2 -Wimplicit-fallthrough>
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>
  -ffunction-sections -fdata-sections -fstack-protector-strong -fno-common)
if(LIMPET_WERROR)
  target_compile_options(limpet_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
target_link_options(limpet_options INTERFACE -Wl,--gc-sections)

if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  target_compile_options(limpet_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(LIMPET_STATIC)
  target_link_options(limpet_options INTERFACE -static)
else()
  target_link_options(limpet_options INTERFACE -Wl,-z,relro,-z,now)
endif()

# limpet_program(TARGET): leaves the stripped program in the build folder's top and its symbols
# beside it, as <name>.debug.
function(limpet_program target)
  find_program(LIMPET_OBJCOPY NAMES ${LIMPET_OBJCOPY_NAMES} objcopy llvm-objcopy)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  if(CMAKE_BUILD_TYPE STREQUAL "MinSizeRel" AND LIMPET_OBJCOPY)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND "${LIMPET_OBJCOPY}" --only-keep-debug $<TARGET_FILE:${target}> $<TARGET_FILE:${target}>.debug
      COMMAND "${LIMPET_OBJCOPY}" --strip-all $<TARGET_FILE:${target}>
      VERBATIM)
  endif()
endfunction()
