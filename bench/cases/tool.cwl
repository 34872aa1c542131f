cwlVersion: v1.2
class: CommandLineTool
label: The least that a tool can do and still have an output
baseCommand: echo
stdout: out.txt
inputs:
  word:
    type: string
    default: hello
    inputBinding: {}
outputs:
  out:
    type: stdout
