# GUESTAGENT_HARDENING: what Debian's dpkg-buildflags calls hardening=+all. Set by the release preset.
set(GUESTAGENT_HARDENING OFF CACHE BOOL "Harden the programs: PIE, RELRO, stack protector, fortify")
if(GUESTAGENT_HARDENING)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  # The processor checks where a jump may land; each architecture has its own name for it.
  set(jumps -fcf-protection)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
    set(jumps -mbranch-protection=standard)
  endif()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection ${jumps} -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
                      -ffunction-sections -fdata-sections)
  # Exceptions unwind from calls alone. Tables that hold at each instruction are for debuggers, and cost 1 % of the size.
  add_compile_options(-fno-asynchronous-unwind-tables)
  # The programs share libraries: what one link has compiled, the next one takes.
  add_link_options("-Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache" -Wl,--thinlto-cache-policy=cache_size_bytes=500m)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,--gc-sections -Wl,--as-needed -Wl,--icf=safe)
endif()
