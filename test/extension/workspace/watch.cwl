cwlVersion: v1.2
class: CommandLineTool
label: Writes a line every quarter of a second
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseCommand: [sh, -c]
arguments:
  - 'for i in `seq "$0"`; do echo "tick $i" >&2; sleep 0.25; done; echo "$i ticks" > ticks.log'
inputs:
  ticks: { type: int, inputBinding: {} }
outputs:
  log: { type: File, outputBinding: { glob: ticks.log } }
