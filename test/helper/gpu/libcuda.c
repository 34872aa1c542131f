/* What a program needs of NVIDIA's libcuda to see that it has the right one, and the devices that it opens. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int cuInit(unsigned flags)
{
	int control = open("/dev/nvidiactl", O_RDWR), memory = open("/dev/nvidia-uvm", O_RDWR);
	(void)flags;
	return control < 0 || memory < 0 ? 100 /* CUDA_ERROR_NO_DEVICE */ : 0;
}

int cuDriverGetVersion(int *version)
{
	*version = 12040;
	return 0;
}

int cuDeviceGetCount(int *count)
{
	char path[32];
	*count = 0;
	for (int i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/dev/nvidia%d", i);
		int device = open(path, O_RDWR);
		if (device < 0)
			continue;
		close(device);
		++*count;
	}
	return 0;
}
