using Aries.Benchmarks.Managed;
using BenchmarkDotNet.Running;

// `peak [threads]` prints the products' share of the machine's peak; anything else goes to BenchmarkDotNet.
if (args is ["peak", ..])
{
    PeakTable.Print(Console.Out, args.AsSpan(1));
    return;
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
