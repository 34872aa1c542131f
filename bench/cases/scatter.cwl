cwlVersion: v1.2
class: Workflow
label: Many short steps that do not depend on each other
requirements:
  ScatterFeatureRequirement: {}
inputs:
  words: string[]
steps:
  say:
    run: tool.cwl
    scatter: word
    in:
      word: words
    out: [out]
outputs:
  out:
    type: File[]
    outputSource: say/out
