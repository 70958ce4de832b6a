# GUESTAGENT_SANITIZERS: the value of -fsanitize=, for instance "address" or "address,undefined". Set by the presets.
set(GUESTAGENT_SANITIZERS "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
set(GUESTAGENT_FUZZ OFF CACHE BOOL "Build the libFuzzer targets (needs clang)")
if(GUESTAGENT_SANITIZERS)
  add_compile_options(-fsanitize=${GUESTAGENT_SANITIZERS} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GUESTAGENT_SANITIZERS})
  if(GUESTAGENT_SANITIZERS MATCHES "undefined")
    # LeakSanitizer reads memory through a pipe, and reports everything if a test has used up the descriptors.
    add_compile_options(-fno-sanitize=vptr)
  endif()
endif()
set(guestagent_test_options "")
if(GUESTAGENT_SANITIZERS)
  # The sanitizers' checks in the tests' own code take longer to optimise than to run: this halves its compilation.
  set(guestagent_test_options -O0)
endif()
if(GUESTAGENT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
