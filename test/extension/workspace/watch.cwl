cwlVersion: v1.2
class: CommandLineTool
label: Writes a line every half second
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseCommand: [sh, -c]
arguments:
  - 'i=0; while [ $i -lt "$0" ]; do i=$((i+1)); echo "tick $i" >&2; sleep 0.5; done; echo "$i ticks" > ticks.log'
inputs:
  ticks: { type: int, inputBinding: {} }
outputs:
  log: { type: File, outputBinding: { glob: ticks.log } }
