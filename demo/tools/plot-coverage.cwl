cwlVersion: v1.2
class: CommandLineTool
label: Plot the coverage
doc: Draws the depth along the genome as a PNG, with a mark at each variant.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/gnuplot:5.2.3
requirements:
  InitialWorkDirRequirement:
    listing:
      - entryname: coverage.gp
        entry: |
          # Not every gnuplot is built with cairo, whose pictures are the nicer ones.
          if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) { set terminal pngcairo size 1200,420 } \
          else { set terminal png truecolor size 1200,420 }
          set output "$(inputs.title).coverage.png"
          set title "$(inputs.title): depth of coverage and variants" noenhanced
          set xlabel "position"
          set ylabel "depth"
          set grid ytics
          set key outside right top
          set yrange [0:*]
          stats "$(inputs.depth.path)" using 3 nooutput
          plot "$(inputs.depth.path)" using 2:3 with filledcurves y1=0 linecolor rgb "#9ecae1" title "depth", \
               STATS_mean with lines linecolor rgb "#08519c" title sprintf("mean %.1f", STATS_mean), \
               "$(inputs.variants.path)" using 2:(0) with points pointtype 9 linecolor rgb "#cb181d" title "variants"
  ResourceRequirement:
    coresMin: 1
    ramMin: 512

baseCommand: [gnuplot, coverage.gp]

inputs:
  depth:
    type: File
    label: Sequence, position and depth, separated by tabs
  variants:
    type: File
    label: Variants in VCF
  title:
    type: string
    label: What the plot shows

outputs:
  plot:
    type: File
    label: Coverage as a picture
    format: edam:format_3603
    outputBinding:
      glob: $(inputs.title).coverage.png

$namespaces:
  edam: http://edamontology.org/
