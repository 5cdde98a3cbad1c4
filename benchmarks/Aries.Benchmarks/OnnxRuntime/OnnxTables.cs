using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.OnnxRuntime;

/// <summary>Prints plain ONNX Runtime beside the managed engine, as Markdown tables: both in one process, in turn.</summary>
internal static class OnnxTables
{
    /// <summary>Prints <c>decode</c>, <c>decode-small</c>, <c>prefill</c> or <c>chain</c>: <c>table [threads] [folder]</c>. Models are written to the folder, and used again where they are there; without one, to a temporary folder.</summary>
    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        string table = arguments.Length > 0 ? arguments[0] : "decode";
        int threads = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        string? given = arguments.Length > 2 ? arguments[2] : null;
        string folder = given ?? Directory.CreateTempSubdirectory("aries-onnx-benchmark-").FullName;
        try
        {
            OnnxModels models = new(folder);
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
            output.WriteLine();
            switch (table)
            {
                case "decode" or "decode-small":
                    OnnxDecodeTable.Print(output, models, threads, small: table == "decode-small");
                    break;
                case "prefill":
                    OnnxPrefillTable.Print(output, models, threads);
                    break;
                case "chain":
                    OnnxChainTable.Print(output, models, threads);
                    break;
                default:
                    throw new ArgumentException($"There is no table '{table}': decode, decode-small, prefill or chain.", nameof(arguments));
            }
        }
        finally
        {
            if (given is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
