using Aries.Benchmarks.GenAI;
using Aries.Benchmarks.Managed;
using Aries.Benchmarks.OnnxRuntime;
using BenchmarkDotNet.Running;

// Some measurements are ratios to what the machine can do, or need processes of their own; anything else goes to BenchmarkDotNet.
switch (args)
{
    case ["peak", ..]:
        PeakTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["decode", ..]:
        DecodeTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["head", ..]:
        HeadTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["training", ..]:
        TrainingTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["training-step", _, _, ..]:
        TrainingTable.PrintStep(Console.Out, args.AsSpan(1));
        break;
    case ["scaling", ..]:
        ScalingTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["refine", ..]:
        RefinementTable.Print(Console.Out, args.AsSpan(1));
        break;
    case ["onnx", ..]:
        OnnxTables.Print(Console.Out, args.AsSpan(1));
        break;
    case ["genai", string natives, string model, .. string[] words]:
        await GenAIChainTable.PrintAsync(Console.Out, natives, model, words.Length > 0 ? [.. words.Select(int.Parse)] : [64, 256]).ConfigureAwait(false);
        break;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Clock).Assembly).Run(args);
        break;
}
