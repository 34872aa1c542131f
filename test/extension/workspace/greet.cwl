cwlVersion: v1.2
class: CommandLineTool
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseCommand: [echo, hello]
inputs:
  word: { type: string, inputBinding: {} }
outputs:
  greeting: stdout
stdout: greeting.txt
