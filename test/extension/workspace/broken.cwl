cwlVersion: v1.2
class: CommandLineTool
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseComand: [cat]
inputs:
  text: { type: File, inputBinding: {} }
outputs:
  copy: stdout
stdout: copy.txt
