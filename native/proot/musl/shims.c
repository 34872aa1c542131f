/* What PRoot and Debian's libtalloc.a, both made for glibc, expect of a libc and musl does not do. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>

long __real_ptrace(int request, ...);

/* PRoot looks at errno after PTRACE_PEEK*, whose result may be -1; glibc clears it, musl does not. */
long __wrap_ptrace(int request, int pid, void *address, void *data)
{
	errno = 0;
	return __real_ptrace(request, pid, address, data);
}

/* libtalloc.a is compiled with _FORTIFY_SOURCE. */
int __vsnprintf_chk(char *text, size_t length, int flag, size_t room, const char *format, va_list arguments)
{
	(void)flag;
	if (room < length)
		abort();
	return vsnprintf(text, length, format, arguments);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list arguments;
	int result;

	(void)flag;
	va_start(arguments, format);
	result = vfprintf(file, format, arguments);
	va_end(arguments);
	return result;
}
