cwlVersion: v1.2
class: Workflow
label: Ten short steps, each of which waits for the one before
requirements:
  StepInputExpressionRequirement: {}
inputs:
  word: string
steps:
  s1: { run: tool.cwl, in: { word: word }, out: [out] }
  s2: { run: tool.cwl, in: { from: s1/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s3: { run: tool.cwl, in: { from: s2/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s4: { run: tool.cwl, in: { from: s3/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s5: { run: tool.cwl, in: { from: s4/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s6: { run: tool.cwl, in: { from: s5/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s7: { run: tool.cwl, in: { from: s6/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s8: { run: tool.cwl, in: { from: s7/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s9: { run: tool.cwl, in: { from: s8/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
  s10: { run: tool.cwl, in: { from: s9/out, word: { valueFrom: $(inputs.from.basename) } }, out: [out] }
outputs:
  out:
    type: File
    outputSource: s10/out
