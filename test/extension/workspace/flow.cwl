cwlVersion: v1.2
class: Workflow
requirements:
  ScatterFeatureRequirement: {}
inputs:
  words: string[]
  ticks: int
outputs:
  table: { type: File, outputSource: draw/table }
  picture: { type: File, outputSource: draw/picture }
  log: { type: File, outputSource: watch/log }
steps:
  greet:
    run: greet.cwl
    scatter: word
    in: { word: words }
    out: [greeting]
  watch:
    run: watch.cwl
    in: { ticks: ticks }
    out: [log]
  draw:
    run: draw.cwl
    in: { greetings: greet/greeting }
    out: [table, picture]
