/* A tool of an image that computes on GPUs, as far as finding them goes: it prints what it has found, and when. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments)
{
	double begun = now();
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	void *library = dlopen("libcuda.so.1", RTLD_NOW);
	int version = 0, devices = -1, status = -1;

	if (library) {
		int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, "cuInit");
		int (*get_version)(int *) = (int (*)(int *))dlsym(library, "cuDriverGetVersion");
		int (*get_count)(int *) = (int (*)(int *))dlsym(library, "cuDeviceGetCount");
		status = init(0);
		get_version(&version);
		get_count(&devices);
	}
	if (count > 1)
		usleep(atoi(arguments[1]) * 1000);
	printf("%d %d %d %s %.3f %.3f\n", status, version, devices, visible ? visible : "-", begun, now());
	return 0;
}
