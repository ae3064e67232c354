dnl SKERRY_CFLAGS_TRY(VARIABLE, FLAGS): append each flag the compiler takes to VARIABLE.
dnl Unknown -W options are errors here, because clang only warns about them.
AC_DEFUN([SKERRY_CFLAGS_TRY], [
	skerry_saved_cflags=$CFLAGS
	for skerry_flag in m4_normalize([$2]); do
		AS_VAR_PUSHDEF([skerry_var], [skerry_cv_cflag_$skerry_flag])
		AC_CACHE_CHECK([whether $CC takes $skerry_flag], [skerry_var], [
			CFLAGS="$skerry_saved_cflags -Werror $skerry_flag"
			AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			    [AS_VAR_SET([skerry_var], [yes])],
			    [AS_VAR_SET([skerry_var], [no])])
		])
		AS_VAR_IF([skerry_var], [yes], [AS_VAR_APPEND([$1], [" $skerry_flag"])])
		AS_VAR_POPDEF([skerry_var])
	done
	CFLAGS=$skerry_saved_cflags
])

dnl SKERRY_LDFLAGS_TRY(VARIABLE, FLAGS): the same for flags of the link.
AC_DEFUN([SKERRY_LDFLAGS_TRY], [
	skerry_saved_ldflags=$LDFLAGS
	for skerry_flag in m4_normalize([$2]); do
		AS_VAR_PUSHDEF([skerry_var], [skerry_cv_ldflag_$skerry_flag])
		AC_CACHE_CHECK([whether the linker takes $skerry_flag], [skerry_var], [
			LDFLAGS="$skerry_saved_ldflags $skerry_flag"
			AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			    [AS_VAR_SET([skerry_var], [yes])],
			    [AS_VAR_SET([skerry_var], [no])])
		])
		AS_VAR_IF([skerry_var], [yes], [AS_VAR_APPEND([$1], [" $skerry_flag"])])
		AS_VAR_POPDEF([skerry_var])
	done
	LDFLAGS=$skerry_saved_ldflags
])

dnl SKERRY_LIB_PLAIN(PREFIX, LIBRARY, FUNCTION, HEADER, PACKAGE): a library without a .pc file.
AC_DEFUN([SKERRY_LIB_PLAIN], [
	skerry_saved_libs=$LIBS
	AC_CHECK_HEADER([$4], [], [AC_MSG_ERROR([$4 not found: install $5])])
	AC_CHECK_LIB([$2], [$3], [AC_SUBST([$1_LIBS], [-l$2])],
	    [AC_MSG_ERROR([lib$2 not found: install $5])])
	LIBS=$skerry_saved_libs
])
