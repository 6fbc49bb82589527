# Run as a script at build time: fills in build_info.h.in, so that results name the revision they came from.
execute_process(COMMAND git -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE GIT_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE
                RESULT_VARIABLE no_git ERROR_QUIET)
if(no_git)
  set(GIT_REVISION "unknown")
endif()
# Committed results do not change the program.
execute_process(COMMAND git -C ${SOURCE} status --porcelain -- . ":(exclude)results" OUTPUT_VARIABLE changes ERROR_QUIET)
set(GIT_DIRTY false)
if(changes)
  set(GIT_DIRTY true)
endif()
configure_file(${SOURCE}/harness/record/build_info.h.in ${OUTPUT} @ONLY)
