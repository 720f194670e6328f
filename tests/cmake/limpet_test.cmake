# How tests enter the build. GoogleTest is compiled here for each target, from the sources that
# distributions install (Debian: googletest), or those LIMPET_GTEST_SOURCE names. Each test leaves
# a report in the build folder's reports/, from which tools/test counts.

find_path(LIMPET_GTEST_SOURCE NAMES src/gtest-all.cc
  PATHS /usr/src/googletest/googletest /usr/src/gtest NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
if(NOT LIMPET_GTEST_SOURCE)
  message(FATAL_ERROR "GoogleTest's sources are missing: run `tools/setup test`, or configure with -DLIMPET_TESTS=OFF")
endif()

# Compiled as the tests are, so that both see the same classes.
add_library(limpet_gtest STATIC EXCLUDE_FROM_ALL
  "${LIMPET_GTEST_SOURCE}/src/gtest-all.cc" "${LIMPET_GTEST_SOURCE}/src/gtest_main.cc")
target_include_directories(limpet_gtest SYSTEM PUBLIC "${LIMPET_GTEST_SOURCE}/include")
target_include_directories(limpet_gtest PRIVATE "${LIMPET_GTEST_SOURCE}")
target_compile_options(limpet_gtest PRIVATE -w -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections)
find_package(Threads REQUIRED)
target_link_libraries(limpet_gtest PUBLIC Threads::Threads)

# What nearly every test includes, compiled once: half of the time of most of them. And where nobody
# ships it, to optimize a test takes longer than to run it.
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/headers.cc" CONTENT
"#include \"source_dir.h\"
const char limpet::kSourceDir[] = \"${PROJECT_SOURCE_DIR}\";
")
add_library(limpet_test_headers OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/headers.cc")
target_link_libraries(limpet_test_headers PUBLIC limpet_options limpet_gtest)
target_include_directories(limpet_test_headers PUBLIC "${PROJECT_SOURCE_DIR}/tests")
target_compile_options(limpet_test_headers PUBLIC "$<$<NOT:$<CONFIG:MinSizeRel>>:-O0>"
  "$<$<NOT:$<CONFIG:MinSizeRel>>:-U_FORTIFY_SOURCE>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(limpet_test_headers PUBLIC -fpch-preprocess)  # Or ccache passes its users by.
else()
  # What uses one of clang's never comes out of ccache in another folder, and that saves more.
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
target_precompile_headers(limpet_test_headers PRIVATE
  <gtest/gtest.h> <algorithm> <functional> <map> <set> <string> <vector>)

function(_limpet_list source)
  get_filename_component(source "${source}" ABSOLUTE)
  file(RELATIVE_PATH source "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/.." "${source}")
  set_property(GLOBAL APPEND PROPERTY LIMPET_TEST_SOURCES "${source}")
endfunction()

# limpet_test(NAME [SOURCES file...] [LIBS target...] [LABEL unit] [TIMEOUT 120] [IF OPTION]): not built
# where the option is off.
function(limpet_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT;IF" "SOURCES;LIBS")
  if(NOT arg_SOURCES)
    set(arg_SOURCES ${arg_UNPARSED_ARGUMENTS})
  endif()
  if(NOT arg_SOURCES)
    set(arg_SOURCES "${name}.cc")
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  foreach(source IN LISTS arg_SOURCES)
    if(source MATCHES "_test\\.cc$")
      _limpet_list("${source}")
    endif()
  endforeach()
  if(arg_IF AND NOT ${arg_IF})
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} limpet_test_headers)
  target_precompile_headers(${name} REUSE_FROM limpet_test_headers)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  # COST: where several run at a time, the longest begin first.
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT}
    ENVIRONMENT "GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/reports/${name}.xml")
endfunction()

# limpet_pytest(FILE [LABEL integration] [TIMEOUT 300] [ALONE]): a file for pytest, run with the Python of
# tools/setup. It finds the program in the environment as LIMPET, the checkout as LIMPET_SOURCE_DIR.
# ALONE: no other test runs meanwhile, as for all of the label budget.
function(limpet_pytest file)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "LABEL;TIMEOUT" "")
  if(NOT arg_LABEL)
    set(arg_LABEL integration)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  _limpet_list("${file}")
  if(NOT LIMPET_TEST_PYTHON OR NOT TARGET limpet)
    return()  # Configured by hand, without tools/test.
  endif()
  get_filename_component(name "${file}" NAME_WE)
  add_test(NAME ${name} COMMAND "${LIMPET_TEST_PYTHON}" -B -m pytest -q -p no:cacheprovider
    "--junitxml=${PROJECT_BINARY_DIR}/reports/${name}.xml" "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  set_tests_properties(${name} PROPERTIES
    LABELS ${arg_LABEL}
    TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT}
    ENVIRONMENT "LIMPET=$<TARGET_FILE:limpet>;LIMPET_SOURCE_DIR=${PROJECT_SOURCE_DIR};LIMPET_BINARY_DIR=${PROJECT_BINARY_DIR}")
  if(arg_ALONE OR arg_LABEL STREQUAL "budget")
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)  # What it measures is not to be shared.
  endif()
endfunction()
# limpet_fuzzer(NAME [LIBS target...]): the entry point NAME.cc. Compiled in every build, so that it
# stays true; a program, and a test of the label fuzz, where LIMPET_FUZZ is on.
function(limpet_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS")
  if(LIMPET_FUZZ)
    add_executable(${name} EXCLUDE_FROM_ALL ${name}.cc)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/run_fuzzer"
      $<TARGET_FILE:${name}> "${PROJECT_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES LABELS fuzz)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
  else()
    add_library(${name} OBJECT ${name}.cc)
  endif()
  target_link_libraries(${name} PRIVATE limpet_core limpet_options ${arg_LIBS})
endfunction()

set(LIMPET_TEST_PYTHON "" CACHE FILEPATH "The Python that has pytest and the OTLP messages")

# One test that compares the folder with what was listed.
function(limpet_test_list_check)
  get_property(sources GLOBAL PROPERTY LIMPET_TEST_SOURCES)
  list(JOIN sources "\n" sources)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/listed.txt" "${sources}\n")
  add_test(NAME test_list COMMAND "${CMAKE_COMMAND}"
    -D FOLDER=${CMAKE_CURRENT_SOURCE_DIR} -D LISTED=${CMAKE_CURRENT_BINARY_DIR}/listed.txt
    -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_list.cmake")
  set_tests_properties(test_list PROPERTIES LABELS unit)
endfunction()
