using System.Reflection;
using Xunit;

namespace Aries.Conformance;

/// <summary>Fails where a backend implements a contract and no suite of its tests proves it.</summary>
public static class SuiteCoverage
{
    private static readonly (Type Contract, Type Suite)[] Suites =
    [
        (typeof(IPolicyModel), typeof(PolicyModelConformance<>)),
        (typeof(ILogProbabilityModel), typeof(LogProbabilityModelConformance<>)),
        (typeof(IRewardScorer), typeof(RewardScorerConformance<>)),
    ];

    /// <summary>Asserts that every public implementation of a contract has a concrete suite.</summary>
    /// <param name="implementations">The backend's assembly.</param>
    /// <param name="tests">The assembly that holds the suites.</param>
    /// <param name="exempt">Implementations that only wrap another and are tested so; each needs a reason where it is named.</param>
    public static void AssertCovered(Assembly implementations, Assembly tests, params Type[] exempt)
    {
        string[] missing = [.. Missing(implementations.GetExportedTypes(), tests.GetTypes()).Where(pair => !exempt.Contains(pair.Implementation))
            .Select(pair => $"{pair.Implementation.Name} implements {pair.Contract.Name} but no test class derives from {pair.Suite.Name[..^2]}<{pair.Implementation.Name}>.")];

        Assert.True(missing.Length == 0, string.Join(Environment.NewLine, missing));
    }

    /// <summary>Lists the implementations without a suite.</summary>
    /// <param name="implementations">Types that may implement a contract.</param>
    /// <param name="tests">Types that may be suites.</param>
    public static IReadOnlyList<(Type Implementation, Type Contract, Type Suite)> Missing(IReadOnlyList<Type> implementations, IReadOnlyList<Type> tests)
    {
        HashSet<(Type, Type)> covered = [];
        foreach (Type test in tests.Where(type => type is { IsClass: true, IsAbstract: false }))
        {
            for (Type? type = test.BaseType; type is not null; type = type.BaseType)
            {
                if (type.IsGenericType)
                {
                    covered.Add((type.GetGenericArguments()[0], type.GetGenericTypeDefinition()));
                }
            }
        }

        return
        [
            .. from implementation in implementations
               where implementation is { IsClass: true, IsAbstract: false }
               from suite in Suites
               where suite.Contract.IsAssignableFrom(implementation) && !covered.Contains((implementation, suite.Suite))
               select (implementation, suite.Contract, suite.Suite),
        ];
    }
}
