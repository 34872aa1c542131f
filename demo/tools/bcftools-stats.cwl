cwlVersion: v1.2
class: CommandLineTool
label: Statistics of variants

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/bcftools:1.16--hfe4b78e_1
requirements:
  InlineJavascriptRequirement: {}
  ResourceRequirement:
    coresMin: 1
    ramMin: 256

baseCommand: [bcftools, stats]
stdout: $(inputs.variants.nameroot).stats.txt

inputs:
  variants:
    type: File
    label: Variants in VCF
    inputBinding:
      position: 1

outputs:
  statistics:
    type: stdout
    label: All statistics, as plot-vcfstats reads them
  count:
    type: int
    label: Number of variants
    outputBinding:
      glob: $(inputs.variants.nameroot).stats.txt
      loadContents: true
      outputEval: $(parseInt(self[0].contents.match(/number of records:\t(\d+)/)[1], 10))
